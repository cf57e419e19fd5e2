export default function Star({ message, onStar }) {
  const { id, starred } = message;

  return (
    <span className={starred ? 'star star--on' : 'star'} onClick={() => onStar(id)}>
      {starred ? '★' : '☆'}
    </span>
  );
}
