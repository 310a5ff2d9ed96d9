/** Text of XML: characters that XML can't hold are left out. */
export function xmlText(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replaceAll(/[&<>"]/g, (character) => names[character] ?? '');
}

/** A time as JUnit's XML has it. */
export function junitSeconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
}
