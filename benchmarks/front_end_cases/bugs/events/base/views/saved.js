import { item } from './list.js';

export const savedPage = (events) => `
  <h1>Saved</h1>
  <p id="nothing">Nothing saved yet. Open an event and press Save.</p>
  <ul class="events" id="saved">${events.map(item).join('')}</ul>`;
