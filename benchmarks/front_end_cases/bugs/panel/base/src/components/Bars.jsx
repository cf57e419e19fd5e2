export default function Bars({ values, labels }) {
  const top = Math.max(...values);
  return (
    <svg className="bars" viewBox="0 0 420 170" role="img" aria-label="Consumption in the last week">
      {values.map((value, i) => {
        const height = (value / top) * 120;
        return (
          <g key={labels[i]} transform={`translate(${i * 60}, 0)`}>
            <rect x="10" width="40" y={140 - height} height={height} rx="3" />
            <text x="30" y="160" textAnchor="middle">
              {labels[i]}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
