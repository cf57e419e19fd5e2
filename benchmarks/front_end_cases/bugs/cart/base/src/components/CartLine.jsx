import { useState } from 'react';
import { money } from '../products.js';

export default function CartLine({ line, onQty, onRemove }) {
  const [note, setNote] = useState('');
  const { product, qty } = line;

  return (
    <li className="line">
      <div className="line__what">
        <strong>{product.name}</strong>
        <span>{money(product.price)}</span>
      </div>
      <label className="line__note">
        Gift note for {product.name}
        <input value={note} maxLength={80} onChange={(event) => setNote(event.target.value)} />
      </label>
      <label className="line__qty">
        Pieces
        <input type="number" min="1" max="20" value={qty} onChange={(event) => onQty(Number(event.target.value) || 1)} />
      </label>
      <span className="line__sum">{money(product.price * qty)}</span>
      <button type="button" className="plain" aria-label={`Remove ${product.name}`} onClick={onRemove}>
        Remove
      </button>
    </li>
  );
}
