// Which cells of a long list are in the page: whole blocks of rows, as far as they are in the window or near it.

// The pictures of a block are asked for together, and the program gives so many at a time.
const BLOCK = 60;
const NEAR_PX = 300;

/**
 * Follows the window over `list`, a grid whose cells have one size. `draw(first, end, isNear)` puts the cells from `first`
 * up to `end` into it; `isNear` says that they are seen now or soon. Answers with `update(count)`, for another list of so many
 * cells, `reveal(index)`, which draws a cell that is far away, and `columns()`.
 */
export function makeRows(list, draw) {
  let count = 0;
  let columns = 1;
  let drawn = { first: 0, end: 0 };

  // A row and the gap below it in pixels, 0 while there is none to measure.
  function measure() {
    const { gridTemplateColumns, rowGap } = getComputedStyle(list);
    columns = gridTemplateColumns.split(" ").length;
    const height = list.firstElementChild?.getBoundingClientRect().height;
    return height ? height + parseFloat(rowGap) : 0;
  }

  function follow(isAnother) {
    const row = measure();
    const rows = Math.max(1, Math.floor(BLOCK / columns));
    const size = rows * columns;
    const { top, bottom } = list.getBoundingClientRect();
    const last = Math.max(0, Math.ceil(count / size) - 1);
    const blockAt = (y) => (row ? Math.min(last, Math.max(0, Math.floor((y - top) / (row * rows)))) : 0);
    const first = blockAt(-NEAR_PX) * size;
    const end = Math.min(count, (blockAt(innerHeight + NEAR_PX) + 1) * size);
    const isNear = row > 0 && top < innerHeight + NEAR_PX && bottom > -NEAR_PX;
    if (!isAnother && first === drawn.first && end === drawn.end && isNear === drawn.isNear) return;
    drawn = { first, end, isNear };
    // What is not in the page takes its room all the same.
    const left = Math.ceil(count / columns) - Math.ceil(end / columns);
    list.style.paddingTop = `${(first / columns) * row}px`;
    list.style.paddingBottom = `${left * row}px`;
    draw(first, end, isNear);
    if (!row && measure()) follow(true);
  }

  const scrolled = () => follow(false);
  // The list tells of its coming, of its size and of its going, and nothing of a session is held beyond that.
  new ResizeObserver(() => {
    (list.isConnected ? addEventListener : removeEventListener)("scroll", scrolled, { passive: true });
    follow(false);
  }).observe(list);

  return {
    columns: () => columns,
    update(cells) {
      count = cells;
      follow(true);
    },
    reveal(index) {
      if (index >= drawn.first && index < drawn.end) return;
      const { top } = list.getBoundingClientRect();
      scrollBy(0, top + Math.floor(index / columns) * measure() - innerHeight / 2);
      follow(false);
    },
  };
}
