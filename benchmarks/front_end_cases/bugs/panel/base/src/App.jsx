import { useEffect, useState } from 'react';
import Sidebar from './components/Sidebar.jsx';
import Overview from './views/Overview.jsx';
import Reports from './views/Reports.jsx';
import Settings from './views/Settings.jsx';

const views = { overview: Overview, reports: Reports, settings: Settings };
const current = () => (views[location.hash.slice(1)] ? location.hash.slice(1) : 'overview');

export default function App() {
  const [view, setView] = useState(current);

  useEffect(() => {
    const onHash = () => setView(current());
    window.addEventListener('hashchange', onHash);
    return () => window.removeEventListener('hashchange', onHash);
  }, []);

  const View = views[view];
  return (
    <div className="shell">
      <Sidebar current={view} names={Object.keys(views)} />
      <main className="content">
        <View />
      </main>
    </div>
  );
}
