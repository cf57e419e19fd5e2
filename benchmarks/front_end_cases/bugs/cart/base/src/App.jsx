import { Routes, Route } from 'react-router-dom';
import Header from './components/Header.jsx';
import Shop from './views/Shop.jsx';
import Cart from './views/Cart.jsx';
import Delivery from './views/Delivery.jsx';

export default function App() {
  return (
    <>
      <Header />
      <main className="main">
        <Routes>
          <Route path="/" element={<Shop />} />
          <Route path="/cart" element={<Cart />} />
          <Route path="/delivery" element={<Delivery />} />
        </Routes>
      </main>
    </>
  );
}
