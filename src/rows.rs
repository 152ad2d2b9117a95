//! Enums whose members each have a row of constants.

/// Declares an enum and a row of constants for each member; `ALL` has the members in the order of the declaration.
macro_rules! rows {
    ($(#[$attribute:meta])* pub enum $name:ident($($kind:ty),+) { $($member:ident => $row:tt,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($member,)+
        }

        impl $name {
            /// All members, in order.
            pub const ALL: [Self; [$(stringify!($member)),+].len()] = [$(Self::$member),+];

            const fn row(self) -> ($($kind,)+) {
                match self {
                    $(Self::$member => $row,)+
                }
            }
        }
    };
}

pub(crate) use rows;
