-- order: one window of the whole line, as text. Parsing a reply of 10,000 elements takes its reader 25 ms, one string 1 ms.
-- ARGV    1 first rank
--         2 window: how many ids to look at (at most 1,000)
-- Return  {ids in the line in order, scores of the held in order}, each separated by newlines
local first, last = ARGV[1], ARGV[1] + ARGV[2] - 1
local scores = {}
for i, value in ipairs(redis.call('ZRANGE', held, first, last, 'WITHSCORES')) do
  if i % 2 == 0 then
    scores[i / 2] = value
  end
end
return { table.concat(redis.call('ZRANGE', line, first, last), '\n'), table.concat(scores, '\n') }
