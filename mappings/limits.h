#pragma once
// Caps of the language itself: what a few lines of source may grow into when they are loaded. The caps of a run and of files are in
// engine/base/limits.h.

#include <cstddef>

namespace kiln::mappings::limits {

/// Statements that the fragments of one map (or of a fragment checked by itself) come to, all `include`s written out. The largest
/// map of the library has about 700. Beyond: E0008.
inline constexpr std::size_t kIncludedStatementsMax = 10'000;
/// The same of all maps of one compile.
inline constexpr std::size_t kIncludedStatementsInAllMax = 200'000;
/// Expressions that one constant comes to, the constants it uses written out. Beyond: E0008.
inline constexpr std::size_t kConstantPartsMax = 4'096;
/// The same of all uses of constants of one compile.
inline constexpr std::size_t kConstantPartsInAllMax = 1'000'000;
/// Bytes of the text of one constant. Beyond: E0008.
inline constexpr std::size_t kConstantBytesMax = 64u << 10;
/// Expressions looked at for the guard of one statement, fns written out; a statement that needs more has no guard, which costs a
/// run time and nothing else.
inline constexpr std::size_t kGuardLooksMax = 10'000;
/// Faults of rows kept per CSV file; later ones are counted, and the run says how many.
inline constexpr std::size_t kCsvIssuesMax = 1'000'000;

}  // namespace kiln::mappings::limits
