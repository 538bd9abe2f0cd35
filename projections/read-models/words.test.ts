import { expect, test } from '@jest/globals';
import { searchedWords, wordsOf } from './words.js';

test.each([
  ['T-Shirt, blue', ['t-shirt', 't', 'shirt', 'blue']],
  ['  Crème   BRÛLÉE ', ['crème', 'brûlée']],
  ['«카메라» 128GB', ['카메라', '128gb']],
  ['lamp lamp', ['lamp']],
  ['-- !', []],
])('%s has words', (text, words) => {
  expect(wordsOf(text)).toEqual(words);
});

test('composed and decomposed letters are the same word', () => {
  expect(wordsOf('caf\u00e9')).toEqual(wordsOf('cafe\u0301'));
});

test('what is searched for keeps its marks, so that ids are found', () => {
  expect(searchedWords(' O-1_x  Lamp lamp')).toEqual(['o-1_x', 'lamp']);
  expect(searchedWords('   ')).toEqual([]);
});

test('a word that begins another asks nothing of its own', () => {
  expect(searchedWords('l lam lamp desk d')).toEqual(['lamp', 'desk']);
});
