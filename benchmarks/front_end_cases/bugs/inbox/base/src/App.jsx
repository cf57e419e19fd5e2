import { useState } from 'react';
import { NavLink, Route, Routes } from 'react-router-dom';
import Inbox from './views/Inbox.jsx';
import Message from './views/Message.jsx';
import Contacts from './views/Contacts.jsx';
import { messages as stored } from './messages.js';

export default function App() {
  const [messages, setMessages] = useState(stored);

  const toggleStar = (id) =>
    setMessages((all) => all.map((m) => (m.id === id ? { ...m, starred: !m.starred } : m)));

  return (
    <div className="layout">
      <nav className="rail" aria-label="Main">
        <NavLink to="/" end>
          Inbox
        </NavLink>
        <NavLink to="/contacts">Contacts</NavLink>
      </nav>
      <main>
        <Routes>
          <Route path="/" element={<Inbox messages={messages} onStar={toggleStar} />} />
          <Route path="/read/:id" element={<Message messages={messages} onStar={toggleStar} />} />
          <Route path="/contacts" element={<Contacts />} />
        </Routes>
      </main>
    </div>
  );
}
