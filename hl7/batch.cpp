#include "hl7/batch.h"

#include <algorithm>
#include <string>

#include "hl7/detail/batch_lines.h"

namespace kiln::hl7 {

Batch split_batch(std::string_view file) {
  detail::BatchLines lines;
  lines.set_window(file, 0);
  for (std::size_t at = 0; at < file.size();) {
    const std::size_t end = std::min(file.find_first_of("\r\n", at), file.size());
    lines.line(at, end);
    at = end + 1;
  }
  lines.finish(file.size());
  Batch batch;
  for (const auto& found : lines.take()) {
    const Slice slice{static_cast<std::size_t>(found.begin), static_cast<std::size_t>(found.end)};
    switch (found.kind) {
      case detail::BatchLines::Kind::message:
        batch.messages.push_back(slice);
        break;
      case detail::BatchLines::Kind::envelope:
        batch.envelope.push_back(slice);
        batch.envelope_delimiters.push_back(found.delimiters);
        break;
      case detail::BatchLines::Kind::noise:
        batch.noise.push_back(slice);
        break;
      case detail::BatchLines::Kind::problem:
        batch.counts_agree = batch.counts_agree && !found.miscount;
        batch.problems.push_back(
            {base::ErrorCode::bad_batch, found.problem, "byte " + std::to_string(found.begin), {}});
        break;
    }
  }
  return batch;
}

}  // namespace kiln::hl7
