complete -c wpj-state -l home -d 'Check this home directory; repeatable' -r -f -a "(__fish_complete_directories)"
complete -c wpj-state -l user -d 'Check this account (name or UID)' -r -f -a "(__fish_complete_users)"
complete -c wpj-state -l attribute -d 'Print one value in <result> [default: state]' -r -f -a "state\t'how far the registration has got'
user\t'short name of the user reported on'
device-id\t'the device ID in Microsoft Entra; empty if none'
tenant-id\t'the tenant ID in Microsoft Entra; empty if none'
user-principal-name\t'the name that the user registered with; empty if none'
key-storage\t'Login Keychain, Secure Enclave, or None'
certificate-expires\t'when the WPJ certificate expires (UTC); empty if none'
sign-in-method\t'how the user of Platform SSO signs in; empty if none'
last-token\t'when JamfAAD last obtained a token (UTC)'
finding\t'the most severe error or warning, else OK or the state'
remedy\t'what to do for this user, or None'
users\t'the state of each local user, a line each'"
complete -c wpj-state -l keychain -d 'Read this file instead of the login keychain' -r -F
complete -c wpj-state -l plist -d 'Read this file instead of JamfAAD\'s plist' -r -F
complete -c wpj-state -l app-sso-state -d 'Read this saved output of `app-sso platform -s`' -r -F
complete -c wpj-state -l psso-status -d 'Read this saved output of Jamf\'s getPSSOStatus' -r -F
complete -c wpj-state -l system-root -d 'Read copies of the system\'s set-up files here' -r -f -a "(__fish_complete_directories)"
complete -c wpj-state -l tenant -d 'Count only keys of this tenant; repeatable' -r
complete -c wpj-state -l remember-key -d 'Remember keys for this many days, 1 to 90' -r
complete -c wpj-state -l second-opinion -d 'Use macOS\'s reader: never, if-damaged, always' -f -a "never\t'Never'
if-damaged\t'Only if the keychain looks damaged'
always\t'Always, to compare the two readers'"
complete -c wpj-state -l deadline -d 'Give up after this many seconds' -r
complete -c wpj-state -l all-users -d 'Check all local users, or all homes given'
complete -c wpj-state -l explain -d 'Print a readable report with next steps'
complete -c wpj-state -l json -d 'Print everything that was found, as JSON'
complete -c wpj-state -l list-attributes -d 'List these values, their types and meanings'
complete -c wpj-state -l man -d 'Show the manual page'
complete -c wpj-state -s h -l help -d 'Print help'
complete -c wpj-state -s V -l version -d 'Print the version'
