export default function Card({ card, onOpen, onArchive }) {
  return (
    <li className="card" onClick={() => onOpen(card.id)}>
      <button type="button" className="card__title">
        {card.title}
      </button>
      <p className="card__owner">{card.owner}</p>
      <div className="card__actions">
        <button type="button" className="small" aria-label={`Archive ${card.title}`} onClick={() => onArchive(card.id)}>
          <span aria-hidden="true">✕</span> Archive
        </button>
      </div>
    </li>
  );
}
