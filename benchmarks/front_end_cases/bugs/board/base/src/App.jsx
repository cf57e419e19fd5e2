import { useEffect, useState } from 'react';
import Tabs from './components/Tabs.jsx';
import Details from './components/Details.jsx';
import Board from './views/Board.jsx';
import Archive from './views/Archive.jsx';
import People from './views/People.jsx';
import { useCards } from './useCards.js';

const views = { board: 'Board', archive: 'Archive', people: 'People' };
const current = () => window.location.hash.slice(1) || 'board';

export default function App() {
  const [view, setView] = useState(current);
  const [openId, setOpenId] = useState(null);
  const { cards, archive, restore } = useCards();

  useEffect(() => {
    const onHash = () => setView(current());
    window.addEventListener('hashchange', onHash);
    return () => window.removeEventListener('hashchange', onHash);
  }, []);

  const open = cards.find((card) => card.id === openId);

  return (
    <div className="app">
      <Tabs views={views} current={view} />
      <main>
        {view === 'board' && <Board cards={cards} onOpen={setOpenId} onArchive={archive} />}
        {view === 'archive' && <Archive cards={cards} onRestore={restore} />}
        {view === 'people' && <People cards={cards} />}
      </main>
      {open && <Details card={open} onClose={() => setOpenId(null)} />}
    </div>
  );
}
