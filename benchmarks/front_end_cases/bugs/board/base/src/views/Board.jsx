import Card from '../components/Card.jsx';

const columns = ['To do', 'Doing', 'Done'];

export default function Board({ cards, onOpen, onArchive }) {
  return (
    <div className="columns">
      {columns.map((column) => (
        <section key={column} className="column" aria-label={column}>
          <h2>{column}</h2>
          <ul>
            {cards
              .filter((card) => card.column === column && !card.archived)
              .map((card) => (
                <Card key={card.id} card={card} onOpen={onOpen} onArchive={onArchive} />
              ))}
          </ul>
        </section>
      ))}
    </div>
  );
}
