-- Look at the threshold when a cool-down ends (R8), and strike that work off.
-- Replies {'unknown_account'} or {'requested' | 'not_due' | 'early', top-off or ''}
--   'early': the cool-down was prolonged meanwhile; the work stays owed until it ends

local task = 'look:' .. ID
local account = read_account()
if not account then
  strike(task)
  return { 'unknown_account' }
end
if account.cycle_over then return cycle_over() end
if account.retry_at_ms > tonumber(NOW) then
  owe(task, account.retry_at_ms)
  return { 'early', '' }
end
strike(task)
if look(account) then return { 'requested', account.topoff } end
return { 'not_due', account.topoff }
