#include "mappings/targets/csv.h"

#include "mappings/csv.h"

namespace kiln::mappings::detail {

void CsvTarget::print() {
  RunResult& result = run_.result_;
  const ir::CsvSchema& schema = run_.unit_->csv_schemas[run_.map_->target_csv];
  const CsvFormat& format = run_.facts_->csv_formats[run_.map_->target_csv];
  append_csv_header(result.csv_header, format);
  result.csv_columns = schema.columns.count;
  std::vector<std::string_view> cells(schema.columns.count);
  std::vector<const OutputNode*> nodes(schema.columns.count);
  for (const OutputNode* row : run_.rows_) {
    run_.rule_ = row->rule;
    for (ir::Index i = 0; i < schema.columns.count; ++i) {
      const ir::CsvColumn& column = run_.unit_->csv_columns[schema.columns.first + i];
      const std::uint16_t at = slot_of(*run_.unit_, row->shape, run_.unit_->text(column.name));
      const OutputNode* node = at == ir::kNoSlot ? nullptr : row->slots[at];
      if (node != nullptr && !node->is_scalar()) node = nullptr;
      const bool text = node != nullptr && (node->kind == NodeKind::text || node->kind == NodeKind::token);
      nodes[i] = text ? node : nullptr;
      cells[i] = text                                              ? node->text()
                 : node != nullptr && node->kind == NodeKind::json ? node->json->text()
                                                                   : std::string_view();
      if (cells[i].data() == nullptr && column.required) {
        run_.note(RunDiagnostic::Level::warning, "missing-value",
                  "the required column `" + std::string(run_.unit_->text(column.name)) + "` is empty",
                  nullptr);
      }
    }
    const auto offset = static_cast<std::uint32_t>(result.output.size());
    result.csv_row_offsets.push_back(offset);
    for (const OutputNode* node : nodes) {
      if (node != nullptr && node->rule != ir::kNone)
        result.lineage.push_back({node->rule, offset, node->source});
    }
    const std::size_t lossy = append_csv_row(result.output, cells, format);
    if (lossy > 0) {
      run_.note(RunDiagnostic::Level::warning, "lossy-cell", "a cell does not fit its column or encoding",
                nullptr);
    }
  }
}

}  // namespace kiln::mappings::detail
