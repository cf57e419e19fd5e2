import { NavLink } from 'react-router-dom';
import { useCart } from '../cart.jsx';

export default function Header() {
  const { count } = useCart();
  return (
    <header className="header">
      <span className="header__name">Paper &amp; Post</span>
      <nav className="header__nav">
        <NavLink to="/">Shop</NavLink>
        <NavLink to="/delivery">Delivery</NavLink>
        <NavLink to="/cart">
          Basket <span className="pill">{count}</span>
        </NavLink>
      </nav>
    </header>
  );
}
