import React from 'react';
import { createRoot } from 'react-dom/client';
import App from './App.jsx';
import './styles/app.css';
import './styles/cards.css';

createRoot(document.getElementById('root')).render(<App />);
