export default function People({ cards }) {
  const people = [...new Set(cards.map((card) => card.owner))].sort();
  return (
    <section className="column column--wide">
      <h2>People</h2>
      <ul>
        {people.map((name) => (
          <li key={name} className="card card--row">
            <span>{name}</span>
            <span className="card__owner">{cards.filter((c) => c.owner === name && !c.archived).length} open</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
