export default function State({ value }) {
  return <span className={`state state--${value}`}>{value}</span>;
}
