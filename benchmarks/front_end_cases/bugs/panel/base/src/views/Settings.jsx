import { useState } from 'react';
import { load, save } from '../storage.js';

export default function Settings() {
  const [unit, setUnit] = useState(() => load('unit') ?? 'm3');

  const choose = (event) => {
    setUnit(event.target.value);
    save('unit', event.target.value);
  };

  return (
    <>
      <h1>Settings</h1>
      <label className="setting">
        Unit of flow
        <select value={unit} onChange={choose}>
          <option value="m3">m³ per hour</option>
          <option value="l">litres per second</option>
        </select>
      </label>
    </>
  );
}
