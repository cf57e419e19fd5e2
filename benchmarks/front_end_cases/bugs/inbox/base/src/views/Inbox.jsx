import Row from '../components/Row.jsx';

export default function Inbox({ messages, onStar }) {
  const starred = messages.filter((m) => m.starred).length;
  return (
    <>
      <h1>Inbox</h1>
      <p className="soft">
        {messages.length} messages, {starred} starred
      </p>
      <ul className="rows">
        {messages.map((message) => (
          <Row key={message.id} message={message} onStar={onStar} />
        ))}
      </ul>
    </>
  );
}
