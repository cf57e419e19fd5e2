export default function Tabs({ views, current }) {
  return (
    <header className="tabs">
      <h1>Boardlet</h1>
      <nav>
        {Object.entries(views).map(([key, label]) => (
          <a key={key} href={`#${key}`} aria-current={key === current ? 'page' : undefined}>
            {label}
          </a>
        ))}
      </nav>
    </header>
  );
}
