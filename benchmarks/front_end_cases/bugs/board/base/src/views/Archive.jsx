export default function Archive({ cards, onRestore }) {
  const archived = cards.filter((card) => card.archived);
  return (
    <section className="column column--wide">
      <h2>Archive</h2>
      {archived.length === 0 && <p>Nothing here.</p>}
      <ul>
        {archived.map((card) => (
          <li key={card.id} className="card card--row">
            <span>{card.title}</span>
            <div className="card__actions">
              <button type="button" className="small" onClick={() => onRestore(card.id)}>
                Restore
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
