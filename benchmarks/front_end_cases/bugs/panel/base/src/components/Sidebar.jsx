import { useTheme } from '../theme.jsx';

export default function Sidebar({ current, names }) {
  const { theme, toggle } = useTheme();
  return (
    <aside className="sidebar">
      <p className="sidebar__name">Waterworks</p>
      <nav aria-label="Views">
        {names.map((name) => (
          <a key={name} href={`#${name}`} aria-current={name === current ? 'page' : undefined}>
            {name[0].toUpperCase() + name.slice(1)}
          </a>
        ))}
      </nav>
      <button type="button" onClick={toggle} aria-pressed={theme === 'dark'}>
        Dark mode
      </button>
    </aside>
  );
}
