import { Link, useParams } from 'react-router-dom';
import Star from '../components/Star.jsx';

export default function Message({ messages, onStar }) {
  const { id } = useParams();
  const message = messages.find((m) => m.id === Number(id));

  if (!message) return <p>There is no such message.</p>;

  return (
    <article className="message">
      <header>
        <h1>{message.subject}</h1>
        <Star message={message} onStar={onStar} />
      </header>
      <p className="soft">
        {message.from}, {message.date}
      </p>
      <p>{message.text}</p>
      <Link to="/">Back to the inbox</Link>
    </article>
  );
}
