// Draws charts over the server's own drawings. The data is in data-chart; colours come from the style sheet.
import { CustomChart, HeatmapChart, LineChart } from "echarts/charts";
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
  CustomChart,
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
  const option = () => OPTIONS[data.type](data, palette(), canvas.clientWidth);
  const entry = known ?? { chart: init(canvas, null, { renderer: "canvas" }) };
  Object.assign(entry, { text, option });
  drawn.set(canvas, entry);
  entry.chart.setOption(option(), true);
  if (!known) {
    entry.observer = new ResizeObserver(() => {
      entry.chart.resize();
      entry.chart.setOption(entry.option(), true);
    });
    entry.observer.observe(canvas);
  }
}

function forget(canvas) {
  const { chart, observer } = drawn.get(canvas);
  observer.disconnect();
  chart.dispose();
  drawn.delete(canvas);
}

function drawAll() {
  for (const canvas of drawn.keys()) if (!canvas.isConnected) forget(canvas);
  for (const figure of document.querySelectorAll("figure[data-chart]")) draw(figure);
}

drawAll();
document.addEventListener("htmx:after:swap", drawAll);
for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
  matchMedia(query).addEventListener("change", () => {
    for (const { chart, option } of drawn.values()) chart.setOption(option(), true);
  });
}
