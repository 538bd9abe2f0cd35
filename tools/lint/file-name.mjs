import { basename } from 'node:path';

const emptyNames = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'manager', 'misc', 'shared', 'index']);

/** ESLint rule: a file is about one noun or one verb and its name says which, in kebab case; nothing is a barrel. */
export const fileName = {
  meta: {
    type: 'suggestion',
    schema: [],
    messages: {
      barrel: 'No barrel: importers name the file they mean.',
      empty: '"{{word}}" says nothing: name the noun or the verb this file is about.',
      kebab: 'File names are kebab-case.',
    },
  },
  create(context) {
    return {
      Program(node) {
        const name = basename(context.filename)
          .replace(/^\./, '')
          .replace(/\.m?[jt]s$/, '');
        // A process manager is a pattern of the field, not a name for want of one.
        const words = name.replace(/^process-manager/, 'process').split(/[.-]/);
        const empty = words.find(
          (word) => emptyNames.has(word.toLowerCase()) || /.(Utils?|Helpers?|Manager)$/.test(word),
        );
        if (name === 'index') context.report({ node, messageId: 'barrel' });
        else if (empty !== undefined) context.report({ node, messageId: 'empty', data: { word: empty } });
        else if (!/^[a-z0-9]+([.-][a-z0-9]+)*$/.test(name)) context.report({ node, messageId: 'kebab' });
      },
    };
  },
};
