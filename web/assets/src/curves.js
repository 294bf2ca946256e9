// Price above carbon, on one time axis. Line style tells the kind: solid, dashed, dotted.
import { clock, day, timeAxis, tooltip } from "./palette.js";

const DASH = { settled: "solid", estimate: "solid", forecast: [6, 4], simulated: [1.5, 3.5] };

function ticks(start, end, width) {
  const hours = (end - start) / 3.6e6;
  const wanted = hours / Math.max(3, Math.floor(width / 90));
  const step = [1, 2, 3, 6, 12, 24, 48].find((choice) => choice >= wanted) ?? 48;
  const first = Math.ceil(start / (step * 3.6e6)) * step * 3.6e6;
  return Array.from({ length: Math.ceil((end - first) / (step * 3.6e6)) }, (_, i) => first + i * step * 3.6e6);
}

// One line series a run of equal kinds; each run ends where the next begins so that the steps join.
function runs(panel, data, index, colour) {
  return panel.runs.map(({ kind, from, values }) => ({
    type: "line",
    step: "end",
    xAxisIndex: index,
    yAxisIndex: index,
    symbol: "none",
    silent: true,
    animation: false,
    lineStyle: { color: colour, width: 2, type: DASH[kind], cap: kind === "simulated" ? "round" : "butt" },
    data: values.map((value, i) => [data.start + (from + i) * data.step, value]),
  }));
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

function marks(data, index, colours) {
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
      label: { color: colours.soft, fontFamily: colours.font, fontSize: 12, backgroundColor: colours.paper, padding: [1, 3] },
      data: data.marks
        .filter((mark) => mark.panel === undefined || mark.panel === index)
        .map((mark) => ({
          xAxis: mark.at,
          label: { formatter: index === 0 || mark.panel === index ? mark.label : "", position: "end", align: mark.align },
        })),
    },
  };
}

function describe(data, panels, at) {
  const slot = Math.floor((at - data.start) / data.step);
  const lines = panels.map((panel) => {
    const run = panel.runs.find(({ from, values }) => slot >= from && slot < from + values.length - 1);
    return run ? `${panel.name}  ${run.values[slot - run.from].toFixed(panel.decimals)} ${panel.unit}  ${run.kind}` : `${panel.name}  not known`;
  });
  const from = data.start + slot * data.step;
  return [`${day(from)} ${clock(from)}–${clock(from + data.step)} UTC`, ...lines].join("\n");
}

export function curvesOption(data, colours, width) {
  const end = data.start + data.slots * data.step;
  const axis = timeAxis(colours, width);
  const values = ticks(data.start, end, width);
  const grid = { left: 48, right: 14 };
  return {
    animation: false,
    aria: { enabled: true, label: { description: data.description } },
    textStyle: { fontFamily: colours.font },
    grid: [
      { ...grid, top: 34, height: "33%" },
      { ...grid, bottom: 30, height: "33%" },
    ],
    axisPointer: { link: [{ xAxisIndex: "all" }], lineStyle: { color: colours.soft } },
    tooltip: {
      ...tooltip(colours),
      trigger: "axis",
      formatter: (points) => describe(data, data.panels, (Array.isArray(points) ? points[0] : points).axisValue),
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
      name: `${panel.name}, ${panel.unit}`,
      nameTextStyle: { color: colours.soft, align: "left", padding: [0, 0, 0, -40], fontFamily: colours.font, fontSize: 12 },
      min: ({ min }) => Math.min(0, Math.floor(min)),
      splitNumber: 3,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: colours.soft, fontSize: 12, formatter: (value) => String(value).replace("-", "−") },
      splitLine: { lineStyle: { color: colours.line, width: 1 } },
    })),
    series: data.panels.flatMap((panel, index) => [
      shade("plan", data, index, colours),
      shade("baseline", data, index, colours),
      ...runs(panel, data, index, index === 0 ? colours.price : colours.carbon),
      marks(data, index, colours),
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
