import { Link } from 'react-router-dom';
import CartLine from '../components/CartLine.jsx';
import { useCart } from '../cart.jsx';
import { money } from '../products.js';

export default function Cart() {
  const { lines, total, dispatch } = useCart();

  if (lines.length === 0) {
    return (
      <p className="empty">
        Your basket is empty. <Link to="/">Go to the shop</Link>
      </p>
    );
  }

  return (
    <>
      <h1>Basket</h1>
      <ul className="lines">
        {lines.map((line, index) => (
          <CartLine
            key={index}
            line={line}
            onQty={(qty) => dispatch({ type: 'qty', id: line.id, qty })}
            onRemove={() => dispatch({ type: 'remove', id: line.id })}
          />
        ))}
      </ul>
      <p className="total">
        Total <strong>{money(total)}</strong>
      </p>
    </>
  );
}
