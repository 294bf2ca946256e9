// The plan: one row a site, one column a half-hour, colour by the share of headroom that is planned.
import { clock, day, timeAxis, tooltip } from "./palette.js";

export function heatmapOption(data, colours, width) {
  const { names, slots, start, step, cells, planned, headroom } = data;
  const at = (slot) => start + slot * step;
  const narrow = width < 520;
  const every = Math.max(1, Math.ceil(slots / (narrow ? 4 : 12) / 6) * 6);
  const axis = timeAxis(colours, width);
  return {
    animation: false,
    aria: { enabled: true, label: { description: data.description } },
    textStyle: { fontFamily: colours.font },
    grid: { left: narrow ? 84 : 132, right: 10, top: 6, bottom: 58 },
    tooltip: {
      ...tooltip(colours),
      formatter: ({ data: [slot, row, share] }) =>
        [
          `${names[row]}, ${day(at(slot))} ${clock(at(slot))}–${clock(at(slot + 1))} UTC`,
          `${planned[row][slot].toFixed(1)} of ${headroom[row][slot].toFixed(1)} kW planned`,
          `${(share * 100).toFixed(0)} % of the headroom`,
        ].join("\n"),
    },
    xAxis: {
      ...axis,
      type: "category",
      data: Array.from({ length: slots }, (_, slot) => slot),
      splitArea: { show: false },
      axisLabel: {
        ...axis.axisLabel,
        interval: (slot) => ((at(slot) / step) % every) === 0,
        formatter: (slot) => (at(Number(slot)) % 8.64e7 === 0 ? day(at(Number(slot))) : clock(at(Number(slot)))),
      },
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: names,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: colours.ink, fontFamily: colours.font, fontSize: 12, width: narrow ? 78 : 124, overflow: "truncate" },
    },
    visualMap: {
      type: "continuous",
      min: 0,
      max: 1,
      dimension: 2,
      hoverLink: false,
      inRange: { color: colours.heat },
      orient: "horizontal",
      left: "center",
      bottom: 0,
      itemHeight: narrow ? 110 : 180,
      itemWidth: 10,
      text: ["100 % of headroom", "0"],
      textStyle: { color: colours.soft, fontFamily: colours.font, fontSize: 12 },
    },
    series: [
      {
        type: "heatmap",
        data: cells,
        progressive: 0,
        itemStyle: { borderColor: colours.paper, borderWidth: narrow ? 0 : 0.5 },
        emphasis: { itemStyle: { borderColor: colours.ink, borderWidth: 1 } },
      },
    ],
  };
}
