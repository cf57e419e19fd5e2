import { useCart } from '../cart.jsx';
import { products, money } from '../products.js';

export default function Shop() {
  const { dispatch } = useCart();
  return (
    <>
      <h1>Shop</h1>
      <ul className="shelf">
        {products.map((product) => (
          <li className="product" key={product.id}>
            <h2>{product.name}</h2>
            <p>{product.blurb}</p>
            <div className="product__foot">
              <span>{money(product.price)}</span>
              <button type="button" onClick={() => dispatch({ type: 'add', id: product.id })}>
                Add
              </button>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
