// Owns reading a page as a browser does: parse5 to a flat list of elements. Knows no page.
import { parse, type DefaultTreeAdapterTypes } from 'parse5';

export interface PageElement {
  tag: string;
  attributes: Record<string, string>;
  /** Text of this element and all below it. */
  text: string;
  /** Tags of the elements around it, nearest first. */
  around: string[];
}

type Node = DefaultTreeAdapterTypes.Node;

/** All elements of a document in order, and the errors of its syntax. */
export function readPage(document: string): { elements: PageElement[]; problems: string[] } {
  const problems: string[] = [];
  const root = parse(document, { onParseError: (error) => problems.push(`${error.code} at line ${error.startLine}`) });
  return { elements: collect(root, []), problems };
}

function collect(node: Node, around: string[]): PageElement[] {
  const children = 'childNodes' in node ? node.childNodes : [];
  if (!('tagName' in node)) return children.flatMap((each) => collect(each, around));
  const attributes = Object.fromEntries(node.attrs.map((each) => [each.name, each.value]));
  const own = { tag: node.tagName, attributes, text: textOf(node), around };
  return [own, ...children.flatMap((each) => collect(each, [node.tagName, ...around]))];
}

function textOf(node: Node): string {
  if (node.nodeName === '#text') return (node as DefaultTreeAdapterTypes.TextNode).value;
  return 'childNodes' in node ? node.childNodes.map(textOf).join('') : '';
}
