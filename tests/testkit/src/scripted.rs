//! Scripted HTTP peers whose truth is known.
