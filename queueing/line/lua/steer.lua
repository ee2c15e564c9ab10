-- steer: a copy of the line's row is written, unless somebody else has written one since the caller looked at it.
-- ARGV    1 the copy that the caller has seen, before it read the row; "": there was none
--         2 the new copy
--         3 starts that may have been in the last minute, if the copy was lost; Redis has lost them, too
--         4... ids of entries that run
-- Return  1; 0: the copy is another one
if (redis.call('GET', levers_copy) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', levers_copy, ARGV[2])
local now = clock()
for i = 1, tonumber(ARGV[3]) do
  redis.call('ZADD', starts, now, 'lost:' .. i)
  redis.call('PEXPIRE', starts, 60000)
end
for i = 4, #ARGV do
  redis.call('ZADD', running, 'NX', now, ARGV[i])
end
numbers_changed()
local first = redis.call('ZRANGE', line, 0, 63)
if #first > 0 then
  wake_workers(first)
end
return 1
