import { kinds } from '../lib/events.js';
import { esc } from '../lib/html.js';

export const eventPage = (event) => `
  <p class="crumb"><a href="/">What is on</a> / ${esc(kinds[event.kind].label)}</p>
  <h1>${esc(event.title)}</h1>
  <p class="lead">${esc(event.day)}, ${esc(event.place)}</p>
  <p>${esc(event.text)}</p>
  <button type="button" class="save" data-save="${event.slug}">Save</button>`;
