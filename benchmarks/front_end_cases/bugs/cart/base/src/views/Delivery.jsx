const steps = [
  ['Ordered before noon', 'leaves us the same day'],
  ['Within the country', 'two to three days, €3.90'],
  ['Elsewhere in Europe', 'five to eight days, €8.50'],
];

export default function Delivery() {
  return (
    <>
      <h1>Delivery</h1>
      <dl className="facts">
        {steps.map(([term, text]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
