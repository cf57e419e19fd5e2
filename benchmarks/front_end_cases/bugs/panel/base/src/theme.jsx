import { createContext, useContext, useEffect, useState } from 'react';
import { load, save } from './storage.js';

const ThemeContext = createContext(null);

export function ThemeProvider({ children }) {
  const [theme, setTheme] = useState('light');

  useEffect(() => {
    const stored = load('theme');
    if (stored === 'dark' || stored === 'light') setTheme(stored);
  }, []);

  useEffect(() => {
    document.body.classList.toggle('dark', theme === 'dark');
    save('theme', theme);
  }, [theme]);

  const toggle = () => setTheme((now) => (now === 'dark' ? 'light' : 'dark'));

  return <ThemeContext.Provider value={{ theme, toggle }}>{children}</ThemeContext.Provider>;
}

export const useTheme = () => useContext(ThemeContext);
