complete -c wpj-state -l home -d 'Look at this home directory, or at several' -r -f -a "(__fish_complete_directories)"
complete -c wpj-state -l user -d 'The home of this account, given by name or number' -r -f -a "(__fish_complete_users)"
complete -c wpj-state -l attribute -d 'One value in <result> [default: state]' -r -f -a "state\t'how far the registration got'
user\t'short name of the user whose state it is'
device-id\t'the device\'s id in Microsoft Entra; empty if none'
tenant-id\t'the tenant\'s id in Microsoft Entra; empty if none'
user-principal-name\t'the name that the user registered with; empty if none'
key-storage\t'Login Keychain, Secure Enclave, or None'
certificate-expires\t'when the WPJ certificate expires (UTC); empty if none'
sign-in-method\t'how the user of Platform SSO signs in'
last-token\t'when JamfAAD last obtained a token (UTC)'
finding\t'the most severe error or warning, else OK or the state'
remedy\t'what to do for this user, or None'
users\t'the state of each local user, a line each'"
complete -c wpj-state -l keychain -d 'In place of the login keychain' -r -F
complete -c wpj-state -l plist -d 'In place of JamfAAD\'s plist' -r -F
complete -c wpj-state -l app-sso-state -d 'A saved output of `app-sso platform -s`' -r -F
complete -c wpj-state -l psso-status -d 'A saved output of Jamf\'s getPSSOStatus' -r -F
complete -c wpj-state -l system-root -d 'Copies of the system\'s files on the set-up' -r -f -a "(__fish_complete_directories)"
complete -c wpj-state -l tenant -d 'Count only registrations with this tenant' -r
complete -c wpj-state -l remember-key -d 'Remember a key that a session has shown' -r
complete -c wpj-state -l second-opinion -d 'Ask macOS\' reader: never, if-damaged, always' -r -f -a "never\t'Not at all'
if-damaged\t'Only if this tool\'s reader finds the file damaged'
always\t'In any case, to compare the two'"
complete -c wpj-state -l deadline -d 'Give up after so long' -r
complete -c wpj-state -l all-users -d 'All local users, or all homes given'
complete -c wpj-state -l explain -d 'A report for people, with what to do'
complete -c wpj-state -l json -d 'Everything that was found, as JSON'
complete -c wpj-state -l list-attributes -d 'The names, types and meanings of these values'
complete -c wpj-state -l man -d 'Print the manual page, as mandoc reads it'
complete -c wpj-state -s h -l help -d 'Print this'
complete -c wpj-state -s V -l version -d 'Print the version'
