"""Fine-tunes the shipped workout model to one person, and says whether that helped."""
