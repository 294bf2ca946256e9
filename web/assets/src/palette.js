// The style sheet's colours, read when a chart is drawn, so that light and dark follow the system.
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: colour("ink"),
    soft: colour("ink-soft"),
    line: colour("line"),
    paper: colour("paper"),
    surface: colour("surface"),
    price: colour("price"),
    carbon: colour("carbon"),
    plan: colour("plan-shade"),
    baseline: colour("baseline-shade"),
    heat: Array.from({ length: 9 }, (_, step) => colour(`heat-${step}`)),
    font: style.fontFamily || "system-ui, sans-serif",
  };
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

export function clock(instant) {
  return new Date(instant).toISOString().slice(11, 16);
}

export function day(instant) {
  const date = new Date(instant);
  return `${DAYS[date.getUTCDay()]} ${date.getUTCDate()}`;
}

export function tooltip(colours) {
  return {
    renderMode: "richText",
    confine: true,
    backgroundColor: colours.paper,
    borderColor: colours.line,
    textStyle: { color: colours.ink, fontFamily: colours.font, fontSize: 13 },
  };
}

export function timeAxis(colours, width) {
  return {
    axisLine: { lineStyle: { color: colours.line } },
    axisTick: { show: false },
    axisLabel: {
      color: colours.soft,
      fontFamily: colours.font,
      fontSize: 12,
      hideOverlap: true,
    },
    splitNumber: width < 520 ? 4 : 8,
  };
}
