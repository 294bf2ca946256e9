// Draws charts over the server's own drawings. The data is in data-chart; colours come from the style sheet.
import { HeatmapChart, LineChart } from "echarts/charts";
import {
  AriaComponent,
  GridComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { curvesOption } from "./curves.js";
import { heatmapOption } from "./heatmap.js";
import { palette } from "./palette.js";

use([
  AriaComponent,
  CanvasRenderer,
  GridComponent,
  HeatmapChart,
  LineChart,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
]);

const OPTIONS = { curves: curvesOption, heatmap: heatmapOption };
const drawn = new Map();

function draw(figure) {
  const canvas = figure.querySelector(".chart-canvas");
  const text = figure.dataset.chart;
  const known = drawn.get(canvas);
  if (known?.text === text) return;
  const data = JSON.parse(text);
  figure.classList.add("enhanced");
  const chart = known?.chart ?? init(canvas, null, { renderer: "canvas" });
  const option = () => OPTIONS[data.type](data, palette(), canvas.clientWidth);
  chart.setOption(option(), true);
  if (!known) new ResizeObserver(() => resize(canvas)).observe(canvas);
  drawn.set(canvas, { chart, text, option });
}

function resize(canvas) {
  const { chart, option } = drawn.get(canvas);
  if (!canvas.isConnected) {
    chart.dispose();
    drawn.delete(canvas);
    return;
  }
  chart.resize();
  chart.setOption(option(), true);
}

function drawAll() {
  for (const [canvas, { chart }] of drawn) {
    if (canvas.isConnected) continue;
    chart.dispose();
    drawn.delete(canvas);
  }
  for (const figure of document.querySelectorAll("figure[data-chart]")) draw(figure);
}

drawAll();
document.addEventListener("htmx:after:swap", drawAll);
for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
  matchMedia(query).addEventListener("change", () => {
    for (const { chart, option } of drawn.values()) chart.setOption(option(), true);
  });
}
