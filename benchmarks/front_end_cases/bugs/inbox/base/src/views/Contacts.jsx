import { useState } from 'react';
import { contacts } from '../messages.js';

export default function Contacts() {
  const [copied, setCopied] = useState(null);
  return (
    <>
      <h1>Contacts</h1>
      <ul className="contacts">
        {contacts.map((contact) => (
          <li key={contact.name}>
            <div>
              <strong>{contact.name}</strong>
              <div className="soft">{contact.mail}</div>
            </div>
            <button type="button" onClick={() => setCopied(contact.name)}>
              {copied === contact.name ? 'Copied' : 'Copy address'}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
