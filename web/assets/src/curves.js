// Panels of one quantity each, on one time axis. Line style tells the kind: solid, dashed, dotted; bands are intervals.
import { clock, day, timeAxis, tooltip } from "./palette.js";

const DASH = { estimate: [14, 3], forecast: [6, 4], simulated: [1.5, 3.5] };
const NEAR_PX = 150;

function ticks(start, end, width) {
  const hours = (end - start) / 3.6e6;
  const wanted = hours / Math.max(3, Math.floor(width / 90));
  const step = [1, 2, 3, 6, 12, 24, 48].find((choice) => choice >= wanted) ?? 48;
  const first = Math.ceil(start / (step * 3.6e6)) * step * 3.6e6;
  return Array.from({ length: Math.ceil((end - first) / (step * 3.6e6)) }, (_, i) => first + i * step * 3.6e6);
}

// One line series a run of equal kinds; each run ends where the next begins so that the steps join.
function runs(panel, data, index, colours) {
  return panel.runs.map(({ kind, colour, from, values }) => ({
    type: "line",
    step: "end",
    xAxisIndex: index,
    yAxisIndex: index,
    symbol: "none",
    silent: true,
    animation: false,
    lineStyle: { color: colours[colour], width: 2, type: DASH[kind] ?? "solid", cap: kind === "simulated" ? "round" : "butt" },
    data: values.map((value, i) => [data.start + (from + i) * data.step, value]),
  }));
}

// The interval of a run as one stepped shape: along the upper ends, back along the lower ones.
function bands(panel, data, index, colour) {
  return panel.runs
    .filter((run) => run.low)
    .map((run) => {
      const instant = (slot) => data.start + (run.from + slot) * data.step;
      const upper = run.high.flatMap((value, i) => [[instant(i), value], [instant(i + 1), value]]);
      const lower = run.low.flatMap((value, i) => [[instant(i), value], [instant(i + 1), value]]);
      const outline = [...upper, ...lower.reverse()];
      return {
        type: "custom",
        xAxisIndex: index,
        yAxisIndex: index,
        silent: true,
        animation: false,
        clip: true,
        tooltip: { show: false },
        data: [outline[0]],
        renderItem: (_, api) => ({
          type: "polygon",
          shape: { points: outline.map((point) => api.coord(point)) },
          style: { fill: colour, opacity: 0.16 },
        }),
      };
    });
}

const band = (windows, name, colours) => ({
  name,
  silent: true,
  itemStyle: name === "plan" ? { color: colours.plan } : { color: "transparent", borderColor: colours.baseline, borderWidth: 1.5, borderType: "dashed" },
  data: windows.map(([from, to]) => [{ xAxis: from }, { xAxis: to }]),
});

function shade(kind, data, index, colours) {
  return {
    type: "line",
    xAxisIndex: index,
    yAxisIndex: index,
    data: [],
    silent: true,
    animation: false,
    markArea: band(data[kind], kind, colours),
  };
}

// Labels stand above the panel; two that would run into each other turn away from each other.
function marks(data, index, colours, width) {
  const shown = data.marks.filter((mark) => mark.panel === undefined || mark.panel === index).sort((a, b) => a.at - b.at);
  const place = (at) => ((at - data.start) / (data.step * data.slots)) * (width - 62);
  const labelled = shown.filter((mark) => index === 0 || mark.panel === index);
  const near = (mark, step) => {
    const other = labelled[labelled.indexOf(mark) + step];
    return other !== undefined && Math.abs(place(mark.at) - place(other.at)) < NEAR_PX;
  };
  const align = (mark) => {
    if (near(mark, -1)) return "left";
    return near(mark, 1) || place(mark.at) > width - 122 ? "right" : "center";
  };
  return {
    type: "line",
    xAxisIndex: index,
    yAxisIndex: index,
    data: [],
    silent: true,
    animation: false,
    markLine: {
      symbol: "none",
      silent: true,
      animation: false,
      lineStyle: { color: colours.soft, type: "solid", width: 1 },
      label: { color: colours.soft, fontFamily: colours.font, fontSize: 12, backgroundColor: colours.surface, padding: [1, 3] },
      data: shown.map((mark) => ({
        xAxis: mark.at,
        label: { formatter: labelled.includes(mark) ? mark.label : "", position: "end", align: align(mark), distance: 3 },
      })),
    },
  };
}

const written = (panel, value) => value.toFixed(panel.decimals).replace("-", "−");

function describe(data, at) {
  const slot = Math.floor((at - data.start) / data.step);
  const lines = data.panels.flatMap((panel) => {
    const found = panel.runs.filter(({ from, values }) => slot >= from && slot < from + values.length - 1);
    if (!found.length) return [`${panel.name}  not known`];
    return found.map((run) => {
      const i = slot - run.from;
      const ends = run.low && run.high[i] > run.low[i] ? `, 90 %: ${written(panel, run.low[i])} to ${written(panel, run.high[i])}` : "";
      return `${panel.name}  ${written(panel, run.values[i])} ${panel.unit}  ${run.kind}${ends}`;
    });
  });
  const from = data.start + slot * data.step;
  return [`${day(from)} ${clock(from)}–${clock(from + data.step)} UTC`, ...lines].join("\n");
}

// Where each panel stands: two share the height, one has it all.
function grids(count) {
  const sides = { left: 52, right: 14 };
  return count === 1 ? [{ ...sides, top: 44, bottom: 30 }] : [{ ...sides, top: 44, height: "32%" }, { ...sides, bottom: 30, height: "32%" }];
}

export function curvesOption(data, colours, width) {
  const end = data.start + data.slots * data.step;
  const axis = timeAxis(colours, width);
  const values = ticks(data.start, end, width);
  return {
    animation: false,
    aria: { enabled: true, label: { description: data.description } },
    textStyle: { fontFamily: colours.font },
    grid: grids(data.panels.length),
    axisPointer: { link: [{ xAxisIndex: "all" }], lineStyle: { color: colours.soft } },
    tooltip: {
      ...tooltip(colours),
      trigger: "axis",
      formatter: (points) => describe(data, (Array.isArray(points) ? points[0] : points).axisValue),
    },
    xAxis: data.panels.map((_, index) => ({
      ...axis,
      type: "value",
      gridIndex: index,
      min: data.start,
      max: end,
      splitLine: { show: false },
      axisLabel: {
        ...axis.axisLabel,
        show: index === data.panels.length - 1,
        customValues: values,
        formatter: (at) => (at % 8.64e7 === 0 ? day(at) : clock(at)),
      },
      axisPointer: { label: { show: false } },
    })),
    yAxis: data.panels.map((panel, index) => ({
      type: "value",
      gridIndex: index,
      name: panel.unit ? `${panel.name}, ${panel.unit}` : panel.name,
      nameGap: 20,
      nameTextStyle: { color: colours.soft, align: "left", padding: [0, 0, 0, -40], fontFamily: colours.font, fontSize: 12 },
      min: panel.scale[0],
      max: panel.scale[1],
      interval: panel.scale[2],
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: colours.soft, fontSize: 12, formatter: (value) => String(Math.round(value * 1e6) / 1e6).replace("-", "−") },
      splitLine: { lineStyle: { color: colours.line, width: 1 } },
    })),
    series: data.panels.flatMap((panel, index) => [
      shade("plan", data, index, colours),
      shade("baseline", data, index, colours),
      ...bands(panel, data, index, colours[panel.colour]),
      ...runs(panel, data, index, colours),
      marks(data, index, colours, width),
      // One silent line over all slots carries the pointer of the tooltip.
      {
        type: "line",
        step: "end",
        xAxisIndex: index,
        yAxisIndex: index,
        symbol: "none",
        animation: false,
        lineStyle: { opacity: 0 },
        data: panel.runs.flatMap(({ from, values: run }) => run.slice(0, -1).map((value, i) => [data.start + (from + i) * data.step, value])),
      },
    ]),
  };
}
