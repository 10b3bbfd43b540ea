// What check_grafana_schema.sh checks dashboards against: @grafana/schema's types, joined, for the panels that are used here.
import type {
  AnnotationQuery, Dashboard, DataQuery, FieldConfig, FieldConfigSource, Panel, RowPanel, TableFieldOptions, VariableModel,
} from '@grafana/schema';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { FieldConfig as HeatmapField, Options as HeatmapOptions } from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as TimelineField, Options as TimelineOptions } from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type { Options as TableOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { FieldConfig as SeriesField, Options as SeriesOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// T as it stands in JSON: strings for enums of strings.
type Json<T> = unknown extends T ? T
  : T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Json<E>[]
  : { [K in keyof T]: Json<T[K]> };

// What is left out has its default.
type Part<T> = unknown extends T ? T
  : T extends string | number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Part<E>[]
  : { [K in keyof T]?: Part<T[K]> };

// The data source's query is the plugin's own and not in the package: these are the fields that are used here.
type PrometheusQuery = Json<Pick<DataQuery, 'refId' | 'datasource' | 'hide'>> & {
  expr: string; legendFormat: string; range: boolean; instant?: boolean; editorMode: 'code'; format?: 'heatmap' | 'table' | 'time_series';
};

type Typed<Type extends string, Options, Custom = Record<string, never>> = Omit<Json<Panel>, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type;
  options: Part<Json<Options>>;
  fieldConfig: { defaults: Omit<Json<FieldConfig>, 'custom'> & { custom?: Part<Json<Custom>> }; overrides: Json<FieldConfigSource>['overrides'] };
  targets: PrometheusQuery[];
};

type AnyPanel = Typed<'stat', StatOptions> | Typed<'timeseries', SeriesOptions, SeriesField> | Typed<'heatmap', HeatmapOptions, HeatmapField>
  | Typed<'bargauge', BarGaugeOptions> | Typed<'table', TableOptions, TableFieldOptions> | Typed<'state-timeline', TimelineOptions, TimelineField>
  | Json<RowPanel>;

// Fields of an annotation and of a variable that belong to the data source's plugin.
type PrometheusAnnotation = Json<AnnotationQuery> & { expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string };
type Variable = Json<VariableModel> & { definition?: string };

export type CheckedDashboard = Omit<Json<Dashboard>, 'panels' | 'annotations' | 'templating'> & {
  panels: AnyPanel[]; annotations: { list: PrometheusAnnotation[] }; templating: { list: Variable[] };
};
