// Owns how many programs may be coming up at once: a machine that starts two hundred together starts none in time. Programs of
// one Space that never come up must not keep those of the others waiting.

interface Waiting { who: string; begin(): void }

export class Starts {
  #atOnce: number;
  #total = 0;
  #under = new Map<string, number>();
  #waiting: Waiting[] = [];

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  get isQuiet(): boolean {
    return this.#total === 0;
  }

  /** @param who whose it is  @returns what makes room for the next; calling it twice changes nothing */
  async enter(who: string): Promise<() => void> {
    if (this.#hasRoom(who)) this.#count(who, 1);
    else await new Promise<void>((resolve) => this.#waiting.push({ who, begin: resolve }));
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#count(who, -1);
      this.#next();
    };
  }

  /** Who has none under way finds room beyond the usual. */
  #hasRoom(who: string): boolean {
    return this.#total < this.#atOnce || (!this.#under.has(who) && this.#total < this.#atOnce * 2);
  }

  #count(who: string, change: number): void {
    this.#total += change;
    const left = (this.#under.get(who) ?? 0) + change;
    if (left === 0) this.#under.delete(who);
    else this.#under.set(who, left);
  }

  /** Whoever has the fewest under way; of those, who came first. */
  #next(): void {
    const underWay = ({ who }: Waiting): number => this.#under.get(who) ?? 0;
    const first = this.#waiting.reduce<Waiting | undefined>((best, each) => (best !== undefined && underWay(best) <= underWay(each) ? best : each), undefined);
    if (!first || !this.#hasRoom(first.who)) return;
    this.#waiting.splice(this.#waiting.indexOf(first), 1);
    this.#count(first.who, 1);
    first.begin();
  }
}
