import { useEffect, useRef } from 'react';

export default function Details({ card, onClose }) {
  const box = useRef(null);

  useEffect(() => {
    box.current.focus();
    const onKey = (event) => event.key === 'Escape' && onClose();
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [onClose]);

  return (
    <div className="veil">
      <div className="details" role="dialog" aria-modal="true" aria-labelledby="details-title" tabIndex={-1} ref={box}>
        <h2 id="details-title">{card.title}</h2>
        <p>{card.text}</p>
        <p className="card__owner">
          {card.owner} · {card.column}
        </p>
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </div>
  );
}
