import { Link } from 'react-router-dom';
import Star from './Star.jsx';

export default function Row({ message, onStar }) {
  return (
    <li className="row">
      <Star message={message} onStar={onStar} />
      <Link to={`/read/${message.id}`} className="row__link">
        <span className="row__from">{message.from}</span>
        <span className="row__subject">{message.subject}</span>
        <span className="row__date">{message.date}</span>
      </Link>
    </li>
  );
}
