import { createContext, useContext, useMemo, useReducer } from 'react';
import { products } from './products.js';

const CartContext = createContext(null);

const start = [
  { id: 31, qty: 1 },
  { id: 8, qty: 1 },
  { id: 47, qty: 2 },
];

function reduce(lines, action) {
  switch (action.type) {
    case 'add': {
      const known = lines.some((line) => line.id === action.id);
      if (!known) return [...lines, { id: action.id, qty: 1 }];
      return lines.map((line) => (line.id === action.id ? { ...line, qty: line.qty + 1 } : line));
    }
    case 'qty':
      return lines.map((line) => (line.id === action.id ? { ...line, qty: action.qty } : line));
    case 'remove':
      return lines.filter((line) => line.id !== action.id);
    default:
      return lines;
  }
}

export function CartProvider({ children }) {
  const [lines, dispatch] = useReducer(reduce, start);

  const value = useMemo(() => {
    const full = lines.map((line) => ({ ...line, product: products.find((p) => p.id === line.id) }));
    return {
      lines: full,
      count: full.reduce((sum, line) => sum + line.qty, 0),
      total: full.reduce((sum, line) => sum + line.qty * line.product.price, 0),
      dispatch,
    };
  }, [lines]);

  return <CartContext.Provider value={value}>{children}</CartContext.Provider>;
}

export const useCart = () => useContext(CartContext);
